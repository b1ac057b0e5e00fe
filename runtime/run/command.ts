/** The command line of realizar-run: parse and call, nothing else. */
import { Command } from 'commander';
import { teach } from '../common/hints.js';
import { VERSION } from '../common/package.js';
import { benchCommand } from './bench/command.js';
import { chatCommand } from './chat/command.js';
import { EXIT, exitCodeOf } from './exit.js';
import { serveCommand } from './serve/command.js';
import { addWriting } from './write_command.js';

/** A line for each command that is not the program itself. */
const COMMANDS: readonly (() => Command)[] = [chatCommand, benchCommand, serveCommand];

/** Exit codes: docs/run.md. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    const root = program();
    teach(root, argv.slice(2));
    await root.parseAsync(argv);
    return EXIT.done;
  } catch (error) {
    return exitCodeOf(error);
  }
}

function program(): Command {
  const root = new Command('realizar-run')
    .description('Runs a model that realizar-compile has compiled: continues a text, chats, serves, measures.')
    .version(VERSION)
    .exitOverride()
    .enablePositionalOptions()
    .addHelpText('after', EXAMPLES);
  addWriting(root);
  for (const command of COMMANDS) root.addCommand(command().copyInheritedSettings(root));
  return root;
}

const EXAMPLES = `
Examples:
  realizar-run generated/model -p "Once upon a time"          the most probable continuation
  realizar-run generated/model -p "Dear" -t 0.8 --top-p 0.95  another one each time; --seed repeats one
  realizar-run generated/model -p - < letter.txt              the prompt from stdin
  realizar-run chat generated/model                           chat in the terminal
  realizar-run bench generated/model                          how fast it is on this machine
  realizar-run serve generated/model                          an HTTP server with OpenAI's API

The text goes to stdout, everything else to stderr.
Exit codes: 0 done, 1 failed (the message says why), 2 wrong usage: what can be told from the command line alone, 130
interrupted. Environment: REALIZAR_CACHE_DIR says where the native part is kept, which is built at the first use; CXX which C++
compiler builds it, TMPDIR where; NO_COLOR turns colours off.
`;
