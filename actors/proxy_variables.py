"""How programs are told of the proxy: the variables that curl, urllib, requests, httpx and most others look at."""

PORT = 3128  # on the loopback of the run's own network, where nobody else can be
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
VARIABLES = dict.fromkeys(NAMES, f"http://127.0.0.1:{PORT}")
