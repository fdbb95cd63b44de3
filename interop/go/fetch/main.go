// Fetch asks a file server with Go's HTTP client, and prints what it says, a line each.
//
//	fetch 1|2 URL   in that version of HTTP; whatever certificate it shows is believed
//
// The server has a file "page" of 10 bytes, and "large".
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: fetch 1|2 URL")
		os.Exit(2)
	}
	var conns atomic.Int32
	var protocols http.Protocols
	if os.Args[1] == "2" {
		protocols.SetHTTP2(true)
		protocols.SetUnencryptedHTTP2(true)
	} else {
		protocols.SetHTTP1(true)
	}
	client := &http.Client{Transport: &http.Transport{
		Protocols:             &protocols,
		TLSClientConfig:       &tls.Config{InsecureSkipVerify: true},
		ExpectContinueTimeout: 20 * time.Second,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conns.Add(1)
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}}
	ask := func(method, path, field, value string, body io.Reader) (*http.Response, string) {
		request, err := http.NewRequest(method, os.Args[2]+path, body)
		check(err)
		if field != "" {
			request.Header.Set(field, value)
		}
		response, err := client.Do(request)
		check(err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		check(err)
		return response, string(text)
	}
	say := func(response *http.Response, text string) {
		if response.StatusCode >= 400 {
			fmt.Println(response.Proto, response.StatusCode)
		} else {
			fmt.Println(response.Proto, response.StatusCode, len(text))
		}
	}
	say(ask("GET", "/large", "", "", nil))
	say(ask("GET", "/page", "Range", "bytes=2-4", nil))
	say(ask("HEAD", "/large", "", "", nil))
	say(ask("GET", "/none", "", "", nil))
	fmt.Println(conns.Load(), "conns")
	say(ask("PUT", "/page", "Expect", "100-continue", strings.NewReader(strings.Repeat("x", 1<<20))))
	say(ask("GET", "/page", "", "", nil))

	var group sync.WaitGroup
	var whole atomic.Int32
	for range 64 {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, text := ask("GET", "/page", "", "", nil); len(text) == 10 {
				whole.Add(1)
			}
		}()
	}
	group.Wait()
	fmt.Println(whole.Load(), "times 10")
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
