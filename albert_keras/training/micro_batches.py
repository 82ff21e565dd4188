"""How a batch is cut into micro-batches of consecutive rows."""


def rows_of_each(rows: int, steps: int) -> int:
    """Rows of each of `steps` micro-batches.

    Raises:
        ValueError: If the rows of the batch do not go round.
    """
    if rows % steps:
        raise ValueError(
            "`gradient_accumulation_steps` must divide the number of rows in "
            f"a batch. Received: {rows} rows, "
            f"gradient_accumulation_steps={steps}."
        )
    return rows // steps
