"""What makes the window a good citizen of its desktop: menus, shortcuts, tray, notices, one instance, its place."""
