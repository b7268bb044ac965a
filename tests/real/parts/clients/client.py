"""Asks STS who it is, at each line of its input, with one client of boto3."""

import json
import sys

import boto3

client = boto3.client("sts")
for _ in sys.stdin:
    try:
        print(json.dumps({"arn": client.get_caller_identity()["Arn"]}), flush=True)
    except Exception as error:  # noqa: BLE001 - the test shows it
        print(json.dumps({"error": str(error)}), flush=True)
