"""Looking at the data through small adapters: wrong labels, and what more labels would bring."""
