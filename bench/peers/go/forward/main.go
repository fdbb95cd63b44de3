// Forward: io.Copy both ways, which splices between TCP conns by itself.
package main

import (
	"flag"
	"io"
	"net"

	"landline.invalid/bench/serving"
)

func main() {
	to := flag.String("to", "", "address to forward to")
	flag.Parse()
	serving.Serve(func(near *net.TCPConn) { forward(near, *to) })
}

func forward(near *net.TCPConn, to string) {
	dialed, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	far := dialed.(*net.TCPConn)
	defer far.Close()
	done := make(chan struct{})
	go func() {
		io.Copy(near, far)
		near.CloseWrite()
		close(done)
	}()
	io.Copy(far, near)
	far.CloseWrite()
	<-done
}
