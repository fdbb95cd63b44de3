// Churn: one byte each way, then close.
package main

import (
	"net"

	"landline.invalid/bench/serving"
)

func main() { serving.Serve(answer) }

func answer(conn *net.TCPConn) {
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		conn.Write([]byte("a"))
	}
}
