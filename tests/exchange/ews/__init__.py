"""The EWS side: codecs alone, then against a stub of the wire, then (``test_contract``) against the lab Exchange."""
