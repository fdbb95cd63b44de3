// File: a header and io.Copy from a file, which is sendfile by itself, for each request.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"os"

	"landline.invalid/bench/serving"
)

func main() {
	path := flag.String("file", "", "file to send")
	flag.Parse()
	serving.Serve(func(conn *net.TCPConn) { send(conn, *path) })
}

func send(conn *net.TCPConn, path string) {
	request := make([]byte, 1024)
	for {
		n, err := conn.Read(request)
		if err != nil || !bytes.HasSuffix(request[:n], []byte("\r\n\r\n")) {
			return
		}
		if err := answer(conn, path); err != nil {
			return
		}
	}
}

func answer(conn *net.TCPConn, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", info.Size()); err != nil {
		return err
	}
	_, err = io.Copy(conn, file)
	return err
}
