/** `realizar-run chat DIR`. */
import { Command } from 'commander';
import { addChatTemplateOption, type ChatTemplateFlags, chatTemplateOf } from '../chat_template_option.js';
import { addGenerateOptions, type GenerateFlags, generateOptions } from '../generate_options.js';
import { interruptible } from '../interrupt.js';
import { addModelOptions, type ModelFlags, withModel } from '../model.js';
import { TerminalChat } from './conversation.js';
import { readMessages } from './history.js';

interface Flags extends ModelFlags, GenerateFlags, ChatTemplateFlags {
  readonly system?: string;
  readonly load?: string;
  readonly verbose?: boolean;
}

export function chatCommand(): Command {
  const command = new Command('chat').description('chat in the terminal; lines from a pipe are answered one by one');
  addModelOptions(command);
  addGenerateOptions(command).optionsGroup('Chat:');
  return addChatTemplateOption(command)
    .option('--system <text>', 'how the model shall behave: a system message before the chat')
    .option('--load <file>', 'go on with a chat that /save wrote')
    .option('-v, --verbose', 'on stderr, after each answer: counts and times')
    .addHelpText('after', EXAMPLES)
    .action((dir: string, flags: Flags) => {
      const system = flags.system === undefined ? [] : [{ role: 'system', content: flags.system }];
      const before = flags.load === undefined ? [] : readMessages(flags.load);
      return interruptible((signal) =>
        withModel(dir, flags, { signal, ...chatTemplateOf(flags) }, async (model) => {
          const chat = model.chat({ messages: [...system, ...before], whenFull: 'shift' });
          const options = { system, generate: generateOptions(flags), verbose: flags.verbose ?? false, signal };
          await new TerminalChat(chat, options).run();
        }),
      );
    });
}

const EXAMPLES = `
In the chat, /help lists what can be done besides talking.

Examples:
  realizar-run chat generated/model --system "Be brief." -t 0.7 --top-p 0.95
  realizar-run chat generated/model -t 0.7 --presence-penalty 0.5   other words than those used lately
  realizar-run chat generated/model --chat-template my.jinja        a template of your own
  echo "What is 3 plus 4?" | realizar-run chat generated/model      the answers alone on stdout

Exit codes: 0 ended, 1 failed, 2 wrong usage, 130 interrupted.
`;
