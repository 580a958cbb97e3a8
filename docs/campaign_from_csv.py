"""Call the people of a CSV file (columns name and phone), and print verified webhooks as they arrive.

RINGBACK_API=http://127.0.0.1:8000/api/v1 RINGBACK_KEY=rb_… python docs/campaign_from_csv.py people.csv

The key has the scope write. Ringback reaches this program at RECEIVER_URL; it listens on PORT (9000).
"""

import csv
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen


def post(path: str, body: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {os.environ['RINGBACK_KEY']}", "Content-Type": "application/json"}
    with urlopen(Request(f"{os.environ['RINGBACK_API']}/{path}", json.dumps(body).encode(), headers)) as answer:
        return json.load(answer)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body, at = self.rfile.read(int(self.headers["Content-Length"])), self.headers.get("X-Kejue-Timestamp", "")
        mac = "sha256=" + hmac.new(endpoint["secret"].encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
        is_ours = hmac.compare_digest(mac, self.headers.get("X-Kejue-Signature", "")) and time.time() - int(at) < 300
        self.send_response(204 if is_ours else 401)
        self.end_headers()
        print(body.decode() if is_ours else "refused", flush=True)


server = HTTPServer(("", int(os.environ.get("PORT", "9000"))), Receiver)
url = os.environ.get("RECEIVER_URL", f"http://127.0.0.1:{server.server_port}/")
endpoint = post("webhooks/", {"name": "CSV", "url": url, "events": ["*"], "ordered": True})
persona = post("personas/", {"name": "Sara"})
campaign = post("campaigns/", {"name": sys.argv[1], "persona_id": persona["id"]})
rows = csv.DictReader(Path(sys.argv[1]).read_text().splitlines())
people = [{"name": row["name"], "phone": row["phone"]} for row in rows]
post(f"campaigns/{campaign['id']}/contacts/", {"contacts": people})
post(f"campaigns/{campaign['id']}/start/", {})
server.serve_forever()
