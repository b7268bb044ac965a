// Asks STS who it is, at each line of its input, with one client of the AWS SDK for Go.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	ctx, out := context.Background(), json.NewEncoder(os.Stdout)
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		panic(err)
	}
	client := sts.NewFromConfig(loaded)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		reply, err := client.GetCallerIdentity(ctx, nil)
		if err != nil {
			out.Encode(map[string]string{"error": err.Error()})
			continue
		}
		out.Encode(map[string]string{"arn": aws.ToString(reply.Arn)})
	}
}
