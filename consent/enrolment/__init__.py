"""A terminal's own key and the certificates between it and the server; needed at every site."""
