"""What the Pulumi program is made of: settings, catalog, images, access, gateway configuration, components."""
