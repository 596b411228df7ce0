// Pause is the process that holds a pod's namespaces open: it waits for a signal to end, and buries the pod's orphans.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	heard := make(chan os.Signal, 16)
	signal.Notify(heard, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for {
		if <-heard != syscall.SIGCHLD {
			os.Exit(0)
		}
		for {
			// One SIGCHLD may stand for several children: bury until nobody is left to bury.
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}
