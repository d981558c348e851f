"""What people read: tables in the terminal, plots, sentences, the HTML page."""
