"""Where papers, settings and history are kept."""
