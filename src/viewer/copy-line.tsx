import { useRef, useState } from 'preact/hooks'

/** A command with a button that copies it. */
export function CopyLine({ text }: { text: string }) {
  const [said, say] = useState('')
  const code = useRef<HTMLElement>(null)
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      say('Copied')
    } catch {
      // not allowed here: the line is at least marked, so that the keyboard can copy it
      getSelection()?.selectAllChildren(code.current!)
      say('Marked: copy it with the keyboard')
    }
  }
  return (
    <div class="copy">
      <code ref={code}>{text}</code>
      <button type="button" onClick={copy}>
        Copy
      </button>
      <span class="said" role="status">
        {said}
      </span>
    </div>
  )
}
