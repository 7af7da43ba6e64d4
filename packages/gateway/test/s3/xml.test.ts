import fc from 'fast-check';

import { childText, childrenOf, parseXml } from '../../src/http/xml/xml-element';
import { element, escapeXml, textElement, xmlDocument } from '../../src/http/xml/xml-writer';
import { refusal } from './refusal';

function parse(text: string): ReturnType<typeof parseXml> {
  return parseXml(Buffer.from(text));
}

const MALFORMED = refusal('MalformedXML');

describe('parsing request documents', () => {
  it('reads elements, text, references and CDATA', () => {
    const root = parse(
      '<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
        '<!-- note --><Object><Key>a&amp;b &#x1F600;&#13;<![CDATA[<raw&amp;>]]></Key></Object></Delete>',
    );
    expect(root.name).toBe('Delete');
    expect(childText(root.children[0]!, 'Key')).toBe('a&b \u{1f600}\r<raw&amp;>');
  });

  it('keeps blanks in text and drops namespace prefixes', () => {
    expect(parse('<s3:A xmlns:s3="x"><s3:K> a  b </s3:K></s3:A>').children[0]).toEqual({
      name: 'K',
      children: [],
      text: ' a  b ',
    });
  });

  const bomb = `<!DOCTYPE l [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>`;
  it.each([
    ['a DOCTYPE with entities (billion laughs)', bomb],
    ['an external entity', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'],
    ['an entity that is not predefined', '<a>&nbsp;</a>'],
    ['a reference without end', '<a>x &amp y</a>'],
    ['a reference to nothing', '<a>&#0;</a>'],
    ['a reference to a surrogate', '<a>&#xD800;</a>'],
    ['a reference beyond Unicode', '<a>&#x110000;</a>'],
    ['a control character', '<a>\u0001</a>'],
    ['two roots', '<a/><b/>'],
    ['no root', '   '],
    ['nothing', ''],
    ['text alone', 'hello'],
    ['an open element', '<a><b></a>'],
    ['a cut tag', '<a'],
    ['depth', '<a>'.repeat(50) + '</a>'.repeat(50)],
    ['very much depth', '<a>'.repeat(100_000)],
    ['too many elements', `<a>${'<b/>'.repeat(130_000)}</a>`],
  ])('refuses %s', (_what, text) => {
    expect(() => parse(text)).toThrow(MALFORMED);
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseXml(Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e]))).toThrow(
      MALFORMED,
    );
  });

  it.each(['__proto__', 'constructor', 'prototype'])('refuses the hostile name %s', (name) => {
    expect(() => parse(`<a><${name}><polluted>1</polluted></${name}></a>`)).toThrow(MALFORMED);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('takes other names for names, and the schema refuses them', () => {
    const root = parse('<a><unknown/></a>');
    expect(root.children).toHaveLength(1);
    expect(() => childrenOf(root, ['Key'])).toThrow(MALFORMED);
  });

  it('refuses a field given twice', () => {
    expect(() => childText(parse('<a><k>1</k><k>2</k></a>'), 'k')).toThrow(MALFORMED);
  });

  it.each(['<', '</', '<a', '<!--', '<![CDATA[', '<?', '&', '&amp;', 'a="b" '])(
    'takes time in proportion to the size, also of 512 KiB of %s',
    (unit) => {
      const filling = unit.repeat(Math.floor((512 * 1024) / unit.length));
      const startedMs = performance.now();
      for (const text of [`${filling}/>`, `<a>${filling}</a>`, `<a ${filling}></a>`]) {
        try {
          parse(text);
        } catch (error) {
          expect(error).toEqual(MALFORMED);
        }
      }
      expect(performance.now() - startedMs).toBeLessThan(10_000);
    },
  );

  it('never fails otherwise than with MalformedXML', () => {
    const markup = fc.constantFrom(
      '<',
      '>',
      '/',
      '&',
      ';',
      '"',
      'a',
      '<a>',
      '</a>',
      '<![CDATA[',
      ']]>',
      '&#',
      '<!--',
      '-->',
      '<?',
      '?>',
      '=',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(markup, { maxLength: 30 }), (pieces) => {
        try {
          parse(pieces.join(''));
        } catch (error) {
          expect(error).toEqual(MALFORMED);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('writing response documents', () => {
  it('K-6: what is written is what a parser reads back', () => {
    const legal = fc
      .string({ unit: 'binary', maxLength: 40 })
      .filter((text) => !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text));
    fc.assert(
      fc.property(legal, (text) => {
        const document = xmlDocument('Root', [element('A', [textElement('Key', text)])]);
        const root = parse(document);
        expect(childText(root.children[0]!, 'Key')).toBe(text);
      }),
      { numRuns: 300 },
    );
  });

  it('K-6: control characters become references, never raw bytes', () => {
    expect(escapeXml('a\u0001b\r\n\t')).toBe('a&#x1;b&#xd;\n\t');
  });
});
