// Prints what Go's net says, for ours to be compared with.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: behaviour split ADDRESS")
		os.Exit(2)
	}
	switch os.Args[1] {
	case "split":
		host, port, err := net.SplitHostPort(os.Args[2])
		say(map[string]any{"host": host, "port": port}, err)
	}
}

func say(result any, err error) {
	if err != nil {
		result = map[string]any{"error": err.Error()}
	}
	json.NewEncoder(os.Stdout).Encode(result)
}
