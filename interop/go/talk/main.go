// Dials, sends its input and then the end of it, and prints what comes back until the other side ends too.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: talk NETWORK ADDRESS")
		os.Exit(2)
	}
	conn, err := net.Dial(os.Args[1], os.Args[2])
	check(err)
	input, err := io.ReadAll(os.Stdin)
	check(err)
	_, err = conn.Write(input)
	check(err)
	if half, ok := conn.(interface{ CloseWrite() error }); ok && os.Args[1] != "unixgram" {
		check(half.CloseWrite())
		_, err = io.Copy(os.Stdout, conn)
		check(err)
		return
	}
	buffer := make([]byte, 65536)
	n, err := conn.Read(buffer)
	check(err)
	os.Stdout.Write(buffer[:n])
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
