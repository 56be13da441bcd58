"""What `serve` and `console` share: keys, person tokens, the console's log-in and its CSRF protection.

access   what a key may do              tokens   person tokens (JWT, EdDSA)
session  the console's signed cookie    site     one open project as HTTP sees it
"""
