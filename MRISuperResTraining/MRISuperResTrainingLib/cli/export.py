"""export RUN --name NAME --to FOLDER"""


def run(arguments, console, cancelled):
    """Returns the summaries of the new models. Raises SuperResolutionError, Cancelled."""
    from ..runs.export import export

    cards, skipped = export(
        arguments.run,
        arguments.name,
        arguments.to,
        not arguments.no_figures,
        arguments.alpha,
        cancelled=cancelled,
    )
    for sentence in skipped:
        console.message(sentence)
    return "\n\n".join(f"{card.name}\n{card.summary()}" for card in cards)
