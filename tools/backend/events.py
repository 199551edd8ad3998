"""Reads what happens at a pulsegate, for ever: events.py HOST:PORT, and PULSEGATE_ADMIN_TOKEN."""
import http.client, json, os, socket, sys, time

def handle(event):
    print(json.dumps(event), flush=True)  # what yours does with it

headers = {"Authorization": f"Bearer {os.getenv('PULSEGATE_ADMIN_TOKEN')}"}
while True:
    try:
        link, seq = http.client.HTTPConnection(sys.argv[1]), 0
        link.request("GET", "/v1/events", headers=headers)
        link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        handle({"type": "answer", "status": (answer := link.getresponse()).status})
        for event in map(json.loads, answer):
            seq += event.get("count", 1)  # {"type": "lost", "count": N}: we were too slow
            if event.get("seq", seq) != seq: raise ValueError(f"number {seq} is missing")
            handle(event)
    except (OSError, ValueError, http.client.HTTPException) as error:
        handle({"type": "gone", "why": repr(error)})
    time.sleep(1)
