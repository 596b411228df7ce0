// Loopback is a CNI plugin for the end of a chain: what a pod sends to its own loopback, on the ports where tests serve web
// sites, goes to the node instead. So a page has the same address in a pod as on the machine that serves it,
// http://127.0.0.1:PORT, which browsers also treat like no other: it is a secure context without a certificate.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const version = "1.0.0"

type config struct {
	Host       string          `json:"host"`
	Ports      string          `json:"ports"`
	PrevResult json.RawMessage `json:"prevResult"`
}

// Packets from 127.0.0.1 may not leave a machine, unless route_localnet says so and something gives them a real sender.
const rules = `
table ip podium_tests {
  chain output { type nat hook output priority -100; ip daddr 127.0.0.0/8 tcp dport %s dnat to %s; }
  chain postrouting { type nat hook postrouting priority 100; ip saddr 127.0.0.0/8 oifname != "lo" masquerade; }
}
`
const script = "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet && exec nft -f -"

func main() {
	if err := run(os.Getenv("CNI_COMMAND")); err != nil {
		// 100 and above are a plugin's own codes.
		json.NewEncoder(os.Stdout).Encode(map[string]any{"cniVersion": version, "code": 100, "msg": err.Error()})
		os.Exit(1)
	}
}

func run(command string) error {
	switch command {
	case "VERSION":
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"cniVersion": version, "supportedVersions": []string{"0.4.0", version}})
	case "ADD":
		return add()
	default: // the rules are in the pod's own network namespace and go with it
		return nil
	}
}

func add() error {
	var given config
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		return err
	}
	change := exec.Command("nsenter", "--net="+os.Getenv("CNI_NETNS"), "sh", "-c", script)
	change.Stdin = strings.NewReader(fmt.Sprintf(rules, given.Ports, given.Host))
	if said, err := change.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	_, err := os.Stdout.Write(given.PrevResult)
	return err
}
