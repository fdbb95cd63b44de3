// Echo: package net, a goroutine per conn.
package main

import (
	"fmt"
	"net"

	"landline.invalid/bench/outcome"
)

func main() {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	outcome.Check(err)
	fmt.Println("listening", listener.Addr())
	for {
		conn, err := listener.Accept()
		outcome.Check(err)
		go echo(conn)
	}
}

func echo(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}
