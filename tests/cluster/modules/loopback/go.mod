module podium.dev/tests/cluster/loopback

go 1.24
