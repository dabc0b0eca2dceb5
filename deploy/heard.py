"""Are the worker and beat at work? They have no port, but both speak to the broker every few seconds.

Exit code 0 if Redis heard from this container, on another connection than this one, within the last SECONDS. It asks
Redis, not the process: one that hangs has open connections too, but is silent on all of them.
"""

import sys
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from registrar.settings import SettingsError, from_environment

SECONDS = 20  # beat rings every 2; a worker asks for work every second, and restores unacknowledged messages every 5
TIMEOUT = 4


def silence(broker: Redis) -> float:
    """Seconds since Redis last heard from this container; infinite if it has no connection."""
    mine = broker.client_info()
    clients = [client for client in broker.client_list() if client["id"] != str(mine["id"])]
    return min((float(client["idle"]) for client in clients if _host(client) == _host(mine)), default=float("inf"))


def _host(client: dict[str, Any]) -> str:
    return str(client["addr"]).rpartition(":")[0]


def main() -> None:
    try:
        url = from_environment().broker_url
        with Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT) as broker:
            seconds = silence(broker)
    except (SettingsError, RedisError) as error:
        sys.exit(f"can't tell: {error}")
    if seconds > SECONDS:
        sys.exit(f"Redis has not heard from here for {seconds:g} s")


if __name__ == "__main__":
    main()
