"""The lab Exchange: Exchange Web Services over HTTP, in a process of its own, kept in one SQLite file.

Start it with ``python -m lab.exchange --data FILE [--port N]``, or from Python with
``lab.process.start("lab.exchange", FILE)``; either way it says where it listens. The endpoint is
``/EWS/Exchange.asmx``; logins are HTTP Basic, NTLM (a connection is signed in by a handshake) and bearer tokens, which
``/{tenant}/oauth2/v2.0/token`` gives out; ``/autodiscover/autodiscover.json`` tells where a mailbox is. With
``--certificate FILE`` (key and certificate, PEM) it speaks TLS. It is Exchange 2016 as far as MS-OXWS* and Microsoft's
schema tell, for calendars, contacts, tasks and plain messages, and keeps typed properties only: what it is handed is
read, what Exchange would lose is lost, answers are made from what was kept.

It has no notifications, no MIME, no attachments on occurrences or made of items, no responses to
meetings, no delegates, and it sends no mail: the ledger says what it would have sent.

Nobody is known at first. The controls under ``/lab/`` speak JSON, without a login (the server is on 127.0.0.1):

=====================================  ==============================================================================
``GET /lab/health``                    ``{"ok": true}``
``GET /lab/stats``                     ``{"requests", "busy_seconds"}`` since the start (lab.meter), and answer times
``PUT /lab/pace``                      answer times (lab.pace)
``GET /lab/mailboxes``                 the mailboxes
``POST /lab/mailboxes``                ``{"address", "name"?, "password"?}``: makes or renames a mailbox with its
                                       default folders; with a password its owner can log in by address
``DELETE /lab/mailboxes?address=A``    removes a mailbox
``POST /lab/accounts``                 ``{"name", "password", "impersonates": "*" | [addresses]}``: a service account,
                                       or more rights for a known login
``POST /lab/apps``                     ``{"app_id", "tenant", "secret"?, "certificate"?, "impersonates", "expired"?}``:
                                       an application; its certificate in PEM
``PUT /lab/tokens``                    ends all tokens; new ones live for ``{"seconds": 3600}``
``PUT /lab/lockout``                   ``{"after": N, "seconds": 1800}``: failed logins lock; ``{}``: never
``PUT /lab/expiry``                    ``{"name", "expired": true}``: a password is too old
``GET /lab/logins``                    failed logins in a row, and who is locked
``PUT /lab/limits``                    ``{"requests_per_account": N}``: no more at a time; ``{}``: any number
``PUT /lab/autodiscover``              ``{"redirects": {name: url}, "urls": {name: url}}``, by address or domain
``GET /lab/items?mailbox=A``           what a folder holds, as typed properties (``&folder=`` role, default calendar)
``POST /lab/organizer``                ``{"item", "address", "name"?, "cancelled"?}``: somebody else organises the event
``GET|POST|PUT|DELETE /lab/faults``    the fault plan (lab.faults): POST adds, PUT replaces, DELETE clears
                                       (``?number=N``: one of them)
``GET|DELETE /lab/mail``               the ledger of mail that a real server would have sent (``?mailbox=``)
``GET|POST|DELETE /lab/traffic``       recorded requests and answers; POST ``{"record": bool, "keep": 1000}`` switches
``POST /lab/reset``                    ``{"keep_accounts": true}``: empties everything; old ids and sync states die
=====================================  ==============================================================================
"""
