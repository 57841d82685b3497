"""What happens, one module per use case. Wired by enrichment/bootstrap.py, called by the edges."""
