"""Who watches what is said to the services that are started here. run.py puts the contract here; benchmarks leave it empty,
so that nothing stands between them and the service and no time goes into checking."""
contract = None
