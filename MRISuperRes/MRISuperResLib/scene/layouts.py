"""Layouts of our own in the layout node of the application."""


def registerLayout(layoutNode, layoutId, description):
    """Adds a layout to a vtkMRMLLayoutNode, or changes it; where it is shown, the views change at once. description: XML."""
    if layoutNode.IsLayoutDescription(layoutId):
        layoutNode.SetLayoutDescription(layoutId, description)
    else:
        layoutNode.AddLayoutDescription(layoutId, description)
