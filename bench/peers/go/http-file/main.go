// HTTP files: net/http's FileServer, with its defaults.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"

	"landline.invalid/bench/outcome"
)

func main() {
	directory := flag.String("directory", ".", "what to serve")
	flag.Parse()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	outcome.Check(err)
	fmt.Println("listening", listener.Addr())
	outcome.Check(http.Serve(listener, http.FileServer(http.Dir(*directory))))
}
