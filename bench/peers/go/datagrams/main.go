// Datagrams: one at a time, the only way package net has.
package main

import (
	"fmt"
	"net"

	"landline.invalid/bench/outcome"
)

func main() {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	outcome.Check(err)
	fmt.Println("listening", conn.LocalAddr())
	buffer := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		outcome.Check(err)
		_, err = conn.WriteToUDPAddrPort(buffer[:n], from)
		outcome.Check(err)
	}
}
