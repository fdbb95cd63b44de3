// Gets a URL through a proxy, as Go's client does, and prints the body.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: through PROXY URL")
		os.Exit(2)
	}
	proxy, err := url.Parse(os.Args[1])
	if err != nil {
		fail(err)
	}
	client := http.Client{
		Transport: &http.Transport{Proxy: http.ProxyURL(proxy)},
		Timeout:   20 * time.Second,
	}
	answer, err := client.Get(os.Args[2])
	if err != nil {
		fail(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		fail(fmt.Errorf("%s", answer.Status))
	}
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "through:", err)
	os.Exit(1)
}
