"""Starts a run, and waits until its token is delivered: python smallest.py request.json"""

import asyncio
import json
import os
import sys

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig


async def main(request: dict) -> None:
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    ids = [request["orgId"], request.get("sourceOrgId")]
    receipt = await client.execute_workflow(
        "prepareLiveMigration",
        request,
        id="/".join(["live-migration-prep", *filter(None, ids)]),
        task_queue="live-migration-prep",
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    )
    print(f"delivered: {receipt['location']}")


with open(sys.argv[1]) as file:
    asyncio.run(main(json.load(file)))
# Before Python 3.14, a thread of the SDK can abort an interpreter that ends (temporalio/sdk-python#300).
sys.stdout.flush()
os._exit(0)
