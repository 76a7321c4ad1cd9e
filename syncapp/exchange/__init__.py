"""The Exchange sides. ``ews`` speaks Exchange Web Services (on-premises servers); no Django, no models."""
