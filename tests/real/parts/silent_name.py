"""Owns a name on the session bus and answers no call to it; run as a program of its own."""

import sys

from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection

with open_dbus_connection() as bus:
    bus.send_and_get_reply(message_bus.RequestName(sys.argv[1]))
    while True:
        bus.receive()
