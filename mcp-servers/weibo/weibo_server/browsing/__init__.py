"""Describes the site to the browser layer: its refusals, its data calls and its pages."""
