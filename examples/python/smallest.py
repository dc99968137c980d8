"""Starts a run, and waits until its token is delivered: python smallest.py request.json"""

import asyncio
import json
import os
import sys

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.envconfig import ClientConfig


def workflow_id_for(request: dict) -> str:
    source = request.get("sourceOrgId")
    if source == "":
        raise ValueError("sourceOrgId is empty: leave it out or write null")
    return "/".join(["live-migration-prep", request["orgId"], *filter(None, [source])])


async def main(request: dict) -> None:
    workflow_id = workflow_id_for(request)
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    receipt = await client.execute_workflow(
        "prepareLiveMigration",
        request,
        id=workflow_id,
        task_queue="live-migration-prep",
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    )
    print(f"delivered: {receipt['location']}")


if len(sys.argv) < 2:
    sys.exit("usage: python smallest.py request.json")
with open(sys.argv[1]) as file:
    asyncio.run(main(json.load(file)))
# Before Python 3.14, a thread of the SDK can abort an interpreter that ends (temporalio/sdk-python#300).
sys.stdout.flush()
os._exit(0)
