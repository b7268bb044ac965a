// Asks STS who it is, at each line of its input, with one client of the AWS SDK for JavaScript.
import { createInterface } from "node:readline";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const client = new STSClient({});
for await (const _ of createInterface({ input: process.stdin })) {
  try {
    const reply = await client.send(new GetCallerIdentityCommand({}));
    console.log(JSON.stringify({ arn: reply.Arn }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
