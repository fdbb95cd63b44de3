// Echo: package net, a goroutine per conn.
package main

import (
	"net"

	"landline.invalid/bench/serving"
)

func main() { serving.Serve(echo) }

func echo(conn *net.TCPConn) {
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
