"""Sends requests to services through the gateway, and puts their failures into words."""
