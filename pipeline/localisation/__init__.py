"""The languages of the interface: message catalogues, numbers and dates by locale."""
