// Listens, prints its address, and sends back what comes.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: echo NETWORK ADDRESS")
		os.Exit(2)
	}
	network, address := os.Args[1], os.Args[2]
	if strings.HasPrefix(network, "udp") || network == "unixgram" {
		conn, err := net.ListenPacket(network, address)
		check(err)
		fmt.Println(conn.LocalAddr())
		buffer := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFrom(buffer)
			check(err)
			_, err = conn.WriteTo(buffer[:n], from)
			check(err)
		}
	}
	listener, err := net.Listen(network, address)
	check(err)
	fmt.Println(listener.Addr())
	for {
		conn, err := listener.Accept()
		check(err)
		go func() {
			io.Copy(conn, conn)
			conn.Close()
		}()
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
