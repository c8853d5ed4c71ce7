"""The pipeline under Prefect: DVC says what runs and in which order, a flow runs it with retries, limits and logs."""
