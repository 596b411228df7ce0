"""The numbers of the embedded cluster. They are fixed: a machine has one such cluster, and certificates name them."""

NODE = "podium-node"
HOST = "10.89.0.1"
"""The node's address: on a bridge of its own, so that it is there whatever else the machine's network is."""
HOST_BRIDGE = "podium0"
POD_BRIDGE = "podium1"
PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
KUBERNETES_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
DNS_PORT = 1053
"""CoreDNS's port on the node: 53 may be taken by the machine's own."""
SITE_PORTS = range(18000, 18100)
"""Where tests serve web sites on HOST; a pod finds them at the same ports of its own loopback."""
API = f"https://{HOST}:6443"
INGRESS = "127.0.0.1:8000"
URL = f"http://{INGRESS}"
EXTRA_INGRESSES = {f"test{number}": f"127.0.0.1:{8010 + number}" for number in range(6)}
"""Further ways in, for gateways that tests start with settings of their own: an Ingress names one in an annotation."""
ETCD = "http://127.0.0.1:2379"
ETCD_PEERS = "http://127.0.0.1:2380"
