// From a queue to a line in the log with AWS's SDK for JavaScript.
// node sdk.cjs NAME ROLE PACKAGE: the name for what it makes, a role's ARN, a zip file.
// Prints what it saw as JSON.
"use strict";
const { readFileSync } = require("node:fs");
const { setTimeout: sleep } = require("node:timers/promises");
const { CloudWatchLogsClient, FilterLogEventsCommand } = require("@aws-sdk/client-cloudwatch-logs");
const {
  CreateEventSourceMappingCommand,
  CreateFunctionCommand,
  InvokeCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} = require("@aws-sdk/client-lambda");
const {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  SendMessageBatchCommand,
  SQSClient,
} = require("@aws-sdk/client-sqs");

const [name, role, zip] = process.argv.slice(2);
const [sqs, lambda, logs] = [new SQSClient(), new LambdaClient(), new CloudWatchLogsClient()];

async function main() {
  const seen = {};
  try {
    await sqs.send(new GetQueueUrlCommand({ QueueName: `no-${name}` }));
  } catch (error) {
    seen.refusal = [error.name, error.$metadata.httpStatusCode];
  }

  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }),
  );
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Runtime: "python3.13",
      Handler: "lambda_function.lambda_handler",
      Role: role,
      Code: { ZipFile: readFileSync(zip) },
    }),
  );
  await waitUntilFunctionActiveV2(
    { client: lambda, maxWaitTime: 60, minDelay: 1 },
    { FunctionName: name },
  );

  const answer = await lambda.send(
    new InvokeCommand({ FunctionName: name, Payload: JSON.stringify({ Records: [] }) }),
  );
  seen.answer = JSON.parse(answer.Payload.transformToString());

  await lambda.send(
    new CreateEventSourceMappingCommand({
      EventSourceArn: Attributes.QueueArn,
      FunctionName: name,
      BatchSize: 10,
    }),
  );
  const entries = ["first", "second"].map((body, number) => ({
    Id: String(number),
    MessageBody: body,
    MessageAttributes: { colour: { DataType: "String", StringValue: "blue" } },
  }));
  const sent = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries: entries }));
  seen.sent = sent.Successful.length;

  for (let attempts = 0; attempts < 120; attempts += 1) {
    const { events } = await logs.send(
      new FilterLogEventsCommand({ logGroupName: `/aws/lambda/${name}`, filterPattern: "GOT" }),
    );
    seen.lines = events.map(({ message }) => message.trim()).sort();
    if (seen.lines.length >= 2) break;
    await sleep(500);
  }
  console.log(JSON.stringify(seen));
}

main();
