"""Copies of a whole data directory, made while a server runs on it, and put back elsewhere.

A backup is a directory or a tar file: the database as of one moment, every large content that it names,
and what lies beside (keys, certificates). `manifest.json`, written last, makes it whole; the database
names each content with size and SHA-256, and the manifest names the rest.
"""
