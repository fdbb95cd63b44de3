// Package serving is the accept loop of the servers: a goroutine per conn.
package serving

import (
	"fmt"
	"net"

	"landline.invalid/bench/outcome"
)

// Serve listens on loopback, says where, and hands every conn to handle, closing it afterwards.
func Serve(handle func(*net.TCPConn)) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	outcome.Check(err)
	fmt.Println("listening", listener.Addr())
	for {
		conn, err := listener.Accept()
		outcome.Check(err)
		go func() {
			defer conn.Close()
			handle(conn.(*net.TCPConn))
		}()
	}
}
