"""The languages of the interface: message catalogues, and numbers and dates by locale."""
