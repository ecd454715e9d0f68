"""What all pages share: templates, sessions, login, errors, the reference."""
